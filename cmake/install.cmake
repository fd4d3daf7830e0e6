# Install rules and the exported package live here.
