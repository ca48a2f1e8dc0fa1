"""What all stages share: the model, the metrics, the losses, the tiler and the palette.

Nothing here knows of files, of a profile's paths or of terminals.
"""
