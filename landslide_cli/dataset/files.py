"""File names of the records in a dataset, each beside the files that it describes."""

# In the folder of the tiles, and of synthetic scenes.
PREPARE_RECORD = "prepare.json"

# In the dataset's folder.
SPLIT_RECORD = "split.json"
