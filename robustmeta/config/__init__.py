"""Studies as pydantic models, and the YAML files they are read from."""
