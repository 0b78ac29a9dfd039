"""The range of Hounsfield units that stimuli keep, whatever their scans hold: for the tables and for the cutting."""

# Wide enough for liver, fat, bone edges and air; narrow enough that padding of any scanner becomes the same value.
HU_LOW, HU_HIGH = -1024, 1500
