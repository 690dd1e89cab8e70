"""The catalogue of a library: records, errors, tables. It imports no other room."""
