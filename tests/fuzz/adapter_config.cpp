#include <temper/models/import/llama.hpp>
#include <temper/models/import/peft.hpp>

#include "tests/fuzz/folder.hpp"

// The weights are another reader's: without them, what follows the configuration is an error.
void read(const Input& input) {
  static const temper::models::LlamaConfig config{.vocabulary = 4,
                                                  .context = 4,
                                                  .layers = 1,
                                                  .heads = 1,
                                                  .kv_heads = 1,
                                                  .width = 4,
                                                  .head_features = 4,
                                                  .hidden = 4};
  temper::models::Llama model(config);
  temper::models::load_peft(folder_with(input, "adapter_config.json"), model, temper::models::llama_map(config));
}
