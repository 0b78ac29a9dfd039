"""Files of any supported format to scans: find, judge, de-identify, read. Nothing here writes to the database."""
