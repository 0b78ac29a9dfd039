import "htmx.org";

import { keepForms } from "./pages/shared/kept-form";
import { tellRefusals } from "./pages/shared/refusals";
import { tellZone } from "./pages/shared/zone";

keepForms();
tellRefusals();
tellZone();
