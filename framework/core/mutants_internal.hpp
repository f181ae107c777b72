#pragma once

// Bugs to test the tests with. A build with TEMPER_MUTANTS holds them all and switches one of them on at run time, by
// its number in the environment variable TEMPER_MUTANT; tests/mutation/run.sh does so with each, and the tests must
// notice. Everywhere else mutant() is the constant false, and nothing of this is left.
//
// Private. A line at each site, so that the code can be read as if it were not there.

namespace temper {

/// Read by tests/mutation/run.sh: name = number,  // what goes wrong
enum class Mutant : int {
  gelu_tanh = 1,                    // GELU takes the tanh form where the erf form is meant
  relu_hides_nan = 2,               // relu makes 0 of NaN
  leaky_relu_at_zero = 3,           // leaky relu has the slope of positive numbers at 0
  maximum_hides_nan = 4,            // maximum takes the other number when one is NaN
  map_skips_tail = 5,               // elementwise functions skip what does not fill a vector
  transpose_skips_tail = 6,         // transposition skips columns that do not fill a tile of four
  update_skips_tail = 7,            // the optimizers' sweep skips what does not fill a vector
  broadcast_not_summed = 8,         // the gradient of a broadcast operand is the first copy's alone
  shared_gradient_added_to = 9,     // the tape adds to a gradient that another input holds, too
  linear_dw_overwrites = 10,        // = for += in linear's weight gradient
  conv_dw_overwrites = 11,          // = for += in the convolution's weight gradient
  bias_gradient_drops_rest = 12,    // the bias gradient drops the rows left over from folding
  matmul_db_not_transposed = 13,    // matmul's gradient of b forgets to transpose a
  conv_dx_swaps_padding = 14,       // the convolution's data gradient exchanges vertical and horizontal padding
  conv_dw_swaps_dilation = 15,      // the convolution's weight gradient exchanges vertical and horizontal dilation
  max_pool_last_tie = 16,           // max pooling gives the gradient to the last of equal numbers
  avg_pool_counts_inside = 17,      // average pooling leaves padding out of the count it should be in
  batch_norm_biased = 18,           // batch norm keeps the biased variance for evaluation
  layer_norm_unbiased = 19,         // layer norm divides by n - 1
  layer_norm_eps_outside = 20,      // layer norm adds eps to the deviation, not to the variance
  layer_norm_dx_not_centered = 21,  // layer norm's gradient forgets that the mean moves
  softmax_not_shifted = 22,         // softmax without subtracting the largest logit
  cross_entropy_counts_all = 23,    // cross entropy's mean is over ignored rows, too
  smoothing_over_others = 24,       // label smoothing is shared among K - 1 classes, not K
  cross_entropy_not_shifted = 25,   // cross entropy without subtracting the largest logit
  embedding_overwrites = 26,        // = for += where an id occurs again
  gather_overwrites = 27,           // = for += where an index occurs again
  slice_gradient_at_front = 28,     // the gradient of a slice lands at the front of the axis
  concat_gradient_from_front = 29,  // every part of a concatenation gets the gradient of the first
  permute_mixes_matrices = 30,      // permutation mixes up the places between the axes it exchanges
  max_gradient_not_shared = 31,     // max gives each of equal numbers the whole gradient
  dropout_not_scaled = 32,          // dropout without 1 / (1 - p)
  dropout_other_mask = 33,          // dropout's gradient draws another mask
  causal_sees_next = 34,            // a causal query sees one key too many
  attention_dk_not_scaled = 35,     // attention's gradient forgets the scale of the scores
  adam_eps_in_root = 36,            // Adam adds eps inside the square root
  adam_not_corrected = 37,          // Adam without bias correction of the first moment
  adam_decays_by_one = 38,          // AdamW's weight decay is not multiplied by the learning rate
  sgd_dampens_first = 39,           // SGD dampens the first gradient, too
  clip_enlarges = 40,               // clipping enlarges gradients shorter than the limit
  masters_rounded = 41,             // the f32 masters of bf16 parameters are rounded to them before each step
  block_draws_anew = 42,            // a block computed again draws other random numbers
  block_masks_as_evaluated = 43,    // a block computed again behaves as in evaluation
  statistics_again = 44,            // running statistics count a block's batch when it is computed again, too
  gelu_gradient_without_bias = 45,  // a linear layer's gradient through GELU forgets to add the bias again
  norm_dx_overwrites = 46,          // = for += where a norm's gradient meets that of the residual stream
};

#if defined(TEMPER_MUTANTS)
bool mutant(Mutant planted);
#else
consteval bool mutant(Mutant) { return false; }
#endif

}  // namespace temper
