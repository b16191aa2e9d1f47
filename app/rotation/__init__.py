"""Keys change: asked for, approved, made, certified, tried, switched, retired, and in the end destroyed."""
