"""Pure functions over arrays that several stages need: connected components, resampling, optical density, metrics, label maps."""
