"""The data engine: a synthetic bank as a graph of segments.

It imports contracts and codecs only. `assay.app.world` runs it and publishes what it makes.
"""
