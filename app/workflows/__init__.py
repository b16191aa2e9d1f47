"""Work of several steps that is finished even when the process dies between them."""
