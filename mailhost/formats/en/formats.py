"""22 Nov 2025, 10:42: one order and one clock for readers of every country."""

# No-break spaces: a moment is not torn apart at the end of a line.
DATE_FORMAT = "j\xa0M\xa0Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j\xa0M\xa0Y,\xa0H:i"
SHORT_DATE_FORMAT = DATE_FORMAT
SHORT_DATETIME_FORMAT = DATETIME_FORMAT
