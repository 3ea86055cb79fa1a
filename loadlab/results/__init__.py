"""The versioned result model and its store."""
