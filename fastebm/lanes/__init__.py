"""Numbers and elementary functions of compiled code: branch-free maths for loops over a tile, and dual numbers."""
