"""The names of a dataset's records; they lie beside what they describe."""

# In the folder of the tiles.
PREPARE_RECORD = "prepare.json"

# In the dataset's folder.
SPLIT_RECORD = "split.json"
