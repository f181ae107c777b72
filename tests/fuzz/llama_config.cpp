#include <temper/models/import/llama.hpp>

#include "tests/fuzz/folder.hpp"

void read(const Input& input) { temper::models::read_llama_config(folder_with(input, "config.json")); }
