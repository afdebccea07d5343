"""The chain of H&E images: stain estimation (Vahadane, Macenko, Reinhard) and stain transfer."""
