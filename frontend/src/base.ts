import "htmx.org";

import { keepForms } from "./pages/shared/kept-form";
import { tellRefusals } from "./pages/shared/refusals";

keepForms();
tellRefusals();
