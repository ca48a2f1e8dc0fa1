"""The networks in Keras: architectures, losses, metrics and weights."""
