"""Pages as a person reads them."""

from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
NOT_READ = {"script", "style", "pre", "code", "textarea"}
READ_ALOUD = {"aria-label", "title", "alt", "placeholder"}


class Read(HTMLParser):
    """What people read of a page in its own language: what says that it is English is kept in English."""

    def __init__(self):
        super().__init__()
        self.open, self.attributes, self.texts, self.names = [], [], [], []

    def handle_starttag(self, tag, attrs):
        told = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, *one) for one in told.items() if one[0] not in {*READ_ALOUD, "content"}]
        english = tag != "html" and told.get("lang", "").startswith("en")
        skipped = self.skipped or tag in NOT_READ or english
        self.names += [] if skipped else [told[name] for name in sorted(READ_ALOUD & told.keys())]
        if tag not in VOID:
            self.open.append((tag, skipped))

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        self.texts += [] if self.skipped else [data]

    @property
    def skipped(self):
        return bool(self.open) and self.open[-1][1]


def read(response):
    page = Read()
    page.feed(response.content.decode())
    return page


def shown(response):
    """The page's source with every run of white space as one space: where a template breaks its lines is nobody's business."""
    return " ".join(response.content.decode().split())
