"""The demo: a drive as a bag, played into the node over DDS, recorded, drawn and summed up."""
