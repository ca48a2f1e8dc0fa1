"""What lies on disk before a run: scenes, tiles, groups and the records of prepare and split."""
