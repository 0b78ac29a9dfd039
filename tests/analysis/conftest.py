from hypothesis import settings

# Two busy cores make single examples slow at times; the timeout of the whole test stays.
settings.register_profile("analysis", deadline=None, derandomize=True)
settings.load_profile("analysis")
