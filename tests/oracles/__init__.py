"""What tests compare the product with: other ways to the same answer, and checks of a whole run. The wheel does not hold them.

The windows and rules read straight from their documents, features of a whole lane at once in polars, what must hold of a simulated
run, which faults a seed draws, and the examples of documents that ship in `assay/contracts/examples`.
"""
