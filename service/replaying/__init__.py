"""An explanation computed again from its record alone, and compared with it."""
