"""Pages as a person reads them."""


def shown(response):
    """The page's source with every run of white space as one space: where a template breaks its lines is nobody's business."""
    return " ".join(response.content.decode().split())
