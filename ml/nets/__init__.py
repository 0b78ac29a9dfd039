"""Networks of the implicit autoencoder."""
