"""DiCE behind one door, in a process of its own."""
