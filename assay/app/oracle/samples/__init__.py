"""Small files in the shapes of public data sets of payments: headers, formats and empty values as their documentation has them."""
