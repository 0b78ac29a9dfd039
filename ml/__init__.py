"""Digital tumour signatures: geometry, phantom, implicit autoencoder, insertion and removal of lesions.

Importing this package or ``ml.geometry``, ``ml.errors``, ``ml.editing`` loads neither torch nor SimpleITK.

"Set by hand" beside a constant says that no measurement behind its value is recorded.
"""
