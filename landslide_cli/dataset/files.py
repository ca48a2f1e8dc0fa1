"""File names of records, each beside the files that it describes."""

# In the folder of the tiles, and of synthetic scenes.
PREPARE_RECORD = "prepare.json"

# In the dataset's folder.
SPLIT_RECORD = "split.json"
BLOCK_MAP = "blocks.gpkg"

# In a folder of maps.
MAPS_RECORD = "infer.json"

# Likewise, while `prepare` or `split` works there.
DATASET_LOCK = ".dataset.lock"
