"""The catalogue of a library: records, errors, tables. Imports nothing of pixquery."""
