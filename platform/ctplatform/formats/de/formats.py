"""Dates as German pages write them; a time says its zone."""

DATE_FORMAT = "j. M Y"
DATETIME_FORMAT = "j. M Y, H:i T"
SHORT_DATE_FORMAT = "d.m.Y"
SHORT_DATETIME_FORMAT = "d.m.Y, H:i T"
