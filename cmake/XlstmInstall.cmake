# cmake --install: filled in beside the examples.
