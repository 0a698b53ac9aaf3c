"""Who made a bundle: signed where it is trained, verified before it is judged, landed or served."""
