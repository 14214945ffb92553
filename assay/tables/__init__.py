"""What is remembered, and how a record changes it: pure folds over columns."""
