"""The patch index beside a plain loop: speed, memory, what is read back, and what samplings do on real images."""
