# The files that embedded_model.cpp reads into its object with .incbin: the compiler cannot see them, so they are named here.
# Included in the directory that makes the target, where properties of source files count.
set(xlstm_embedded_model ${PROJECT_SOURCE_DIR}/models/bard-8m)
set(xlstm_embedded_files config.json generation_config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors
  model.safetensors.index.json tokenizer.json tokenizer_config.json)
list(TRANSFORM xlstm_embedded_files PREPEND ${xlstm_embedded_model}/)
set_source_files_properties(${PROJECT_SOURCE_DIR}/xlstm/engine/embedded_model.cpp PROPERTIES
  COMPILE_DEFINITIONS "XLSTM_EMBEDDED_MODEL=\"${xlstm_embedded_model}\""
  OBJECT_DEPENDS "${xlstm_embedded_files}")
