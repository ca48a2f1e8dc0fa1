"""The dataset on disk: scenes, tiles, groups, and the records of `prepare` and `split`."""
