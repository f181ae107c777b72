#include <doctest/doctest.h>

#include <cmath>

#include "tests/misuse/misuse.hpp"

namespace temper::test {

namespace {

/// Gives the first weight a gradient that has one non-finite number.
void set_bad_gradient(Program& program, float bad) {
  Parameter weight = program.model.parameters()[0];
  Tensor gradient = ones(weight.shape());
  gradient.mutable_data<float>()[4] = bad;
  weight.set_gradient(gradient);
}

/// Makes an optimizer and steps it on the program's gradients.
template <class O, class Options>
auto step(const Options& options) {
  return [options](Program& program) {
    O optimizer(program.model.parameters(), options);
    return optimizer.step();
  };
}

}  // namespace

TEST_CASE("tapes") {
  check({
      refuses<TapeError>(
          "backward: this tape has already run backward", [](Program& p) { p.tape->backward(p.loss); },
          [](Program& p) { p.tape->backward(p.loss); }),
      refuses<TapeError>("backward: loss has shape [2, 3], expected one element",
                         [](Program& p) { p.tape->backward(p.logits); }),
      refuses<TapeError>("backward: loss [] was not recorded on this tape: it depends on no parameter and no watched",
                         [](Program& p) { p.tape->backward(mean(p.images)); }),
      refuses<TapeError>("backward: loss [] was not recorded on this tape: another tape did that",
                         [](Program& p) {
                           Tape other;
                           other.backward(p.loss);
                         }),
      refuses<TapeError>(
          "backward: loss [] was not recorded on this tape: it was made before the tape began",
          [](Program& p) {
            Tape other;
            other.backward(p.loss);
          },
          [](Program& p) { p.tape->backward(p.loss); }),
      refuses<TapeError>(
          "it depends on no watched tensor and on no parameter that is not frozen",
          [](Program& p) { p.tape->backward(p.loss); },
          [](Program& p) {
            p.model.freeze();
            p.loss = cross_entropy(p.model(p.images), p.labels);
            p.model.unfreeze();
          }),
      refuses<TapeError>(
          "backward: a tensor [3, 8] that a gradient needs was changed in place after it was used (version",
          [](Program& p) { p.tape->backward(p.loss); }, [](Program& p) { p.adamw.step(); }),
      refuses<TapeError>(
          "backward: a tensor [2, 4, 4, 1] that a gradient needs was changed in place",
          [](Program& p) { p.tape->backward(p.loss); }, [](Program& p) { p.images.fill(1.0f); }),
      refuses<TapeError>("gradient: call backward first", [](Program& p) { return p.tape->gradient(p.images); }),
      refuses<TapeError>(
          "gradient: tensor [2, 4, 4, 1] was not watched by this tape",
          [](Program& p) { return p.tape->gradient(p.images); }, [](Program& p) { p.tape->backward(p.loss); }),
      refuses<TapeError>("watch: tensor [2, 4, 4, 1] was used on this tape before; watch it first",
                         [](Program& p) { p.tape->watch(p.images); }),
      refuses<TapeError>("copy_from: a gradient is to flow through the source [2, 3]",
                         [](Program& p) {
                           zeros({2, 3}).copy_from(p.logits);
                         }),
      refuses<ValueError>("an undefined parameter was used, such as the bias of a layer without one",
                          [](Program&) { return Parameter().shape(); }),
      refuses<TapeError>("watch: tensor [2] is i64, only f32 and bf16 have a gradient",
                         [](Program& p) { p.tape->watch(p.labels); }),
      refuses<TapeError>(
          "watch: this tape has already run backward", [](Program& p) { p.tape->watch(p.images); },
          [](Program& p) { p.tape->backward(p.loss); }),
  });
}

TEST_CASE("parameters and modules") {
  check({
      refuses<ShapeError>("gradient of parameter '4.weight': got f32 [8, 3], expected f32 [3, 8]",
                          [](Program& p) {
                            p.model.parameters()[4].set_gradient(ones({8, 3}));
                          }),
      refuses<ShapeError>("parameter [2] is i64, expected f32 or bf16",
                          [](Program&) {
                            return Parameter(indices({1, 2}), Role::weight);
                          }),
      refuses<ValueError>("Linear: 0 inputs and 3 outputs, expected at least 1 of each",
                          [](Program&) { return nn::Linear(0, 3).weight; }),
      refuses<ValueError>("Conv2d: 2 groups do not divide 3 input and 4 output channels",
                          [](Program&) { return nn::Conv2d(3, 4, {.kernel = 3, .groups = 2}).weight; }),
      refuses<ValueError>("MultiheadAttention: 8 features in 3 heads, expected a multiple",
                          [](Program&) { return nn::MultiheadAttention(8, {.heads = 3}).in_proj_weight; }),
      refuses<ValueError>("Embedding: 0 ids and 4 features, expected at least 1 of each",
                          [](Program&) { return nn::Embedding(0, 4).weight; }),
      refuses<ValueError>("BatchNorm2d: 0 channels, expected at least 1",
                          [](Program&) { return nn::BatchNorm2d(0).weight; }),
      refuses<ValueError>("Dropout: probability 1, expected 0 <= p < 1", [](Program&) { nn::Dropout(1.0); }),
      refuses<ValueError>("sequential: layer 9 of 5", [](Program& p) { return p.model[9].description(); }),
  });
}

TEST_CASE("optimizers") {
  using namespace optim;
  check({
      refuses<ValueError>("AdamW: parameter '0.weight' is twice in group 0",
                          [](Program& p) {
                            const Parameter weight = p.model.parameters()[0];
                            AdamW(Groups{weight, weight});
                          }),
      refuses<ValueError>(
          "SGD: parameter '0.weight' is in group 'a' and in group 'b'",
          [](Program& p) {
            const Parameter weight = p.model.parameters()[0];
            SGD(Groups{{.parameters = {weight}, .name = "a"}, {.parameters = {weight}, .name = "b"}}, {.lr = 0.1});
          }),
      refuses<ValueError>("AdamW: parameter 0 of group 0 is undefined", [](Program&) { AdamW(Groups{Parameter()}); }),
      refuses<ValueError>("AdamW: there is no parameter", [](Program&) { AdamW(std::vector<Parameter>()); }),
      refuses<ValueError>("AdamW: group 0 sets 'momentum', which AdamW does not have; it has lr, beta1",
                          [](Program& p) {
                            AdamW(Groups{{.parameters = p.model.parameters(), .set = {{"momentum", 0.9}}}});
                          }),
      refuses<ValueError>("assign: parameter '0.weight' (weight, [2, 1, 3, 3]) is in no group",
                          [](Program& p) { return assign(p.model.parameters(), {{has_role({Role::bias})}}); }),
      refuses<ValueError>("assign: no parameter is named 'hed.*'; there are '0.weight', '0.bias'",
                          [](Program& p) {
                            return assign(p.model.parameters(), {{named("hed.*")}, {anything()}});
                          }),
      refuses<ValueError>("AdamW: parameter '0.weight' is bf16 now, and was f32 when the optimizer was made",
                          [](Program& p) {
                            AdamW adamw(p.model.parameters());
                            Parameter weight = p.model.parameters()[0];
                            const Tensor before = weight.value();
                            const NoTape pause;
                            weight.set_value(to(before, Dtype::bf16));
                            try {
                              adamw.step();
                            } catch (const ValueError&) {
                              weight.set_value(before);
                              throw;
                            }
                          }),
      refuses<ValueError>("Adam: lr is -0.1, expected at least 0", step<Adam>(AdamOptions{.lr = -0.1})),
      refuses<ValueError>("Adam: lr is inf, expected", step<Adam>(AdamOptions{.lr = HUGE_VAL})),
      refuses<ValueError>("Adam: beta1 is 1, expected at least 0 and less than 1",
                          step<Adam>(AdamOptions{.beta1 = 1.0})),
      refuses<ValueError>("Adam: beta2 is 1, expected at least 0 and less than 1",
                          step<Adam>(AdamOptions{.beta2 = 1.0})),
      refuses<ValueError>("Adam: eps is -1, expected at least 0", step<Adam>(AdamOptions{.eps = -1.0})),
      refuses<ValueError>("AdamW: weight_decay is -0.01, expected at least 0",
                          step<AdamW>(AdamWOptions{.weight_decay = -0.01})),
      refuses<ValueError>("AdamW: clip_norm is -1 at k = 0, expected a positive number",
                          step<AdamW>(AdamWOptions{.clip_norm = -1.0})),
      refuses<ValueError>("AdamW: clip_norm is 0 at k = 0, expected a positive number",
                          step<AdamW>(AdamWOptions{.clip_norm = 0.0})),
      refuses<ValueError>("SGD: nesterov needs a momentum and no dampening, got momentum 0 and dampening 0",
                          step<SGD>(SGDOptions{.lr = 0.1, .nesterov = true})),
      refuses<ValueError>("AdamW: divide_by is 0, expected a positive number",
                          [](Program& p) { return p.adamw.step({.divide_by = 0.0}); }),
      refuses<ValueError>(
          "AdamW: the gradient of '0.weight' is not finite at k = 1; nothing was updated",
          [](Program& p) { return p.adamw.step(); }, [](Program& p) { set_bad_gradient(p, NAN); }),
      refuses<ValueError>(
          "AdamW: the gradient of '0.weight' is not finite at k = 1; nothing was updated",
          [](Program& p) { return p.adamw.step(); }, [](Program& p) { set_bad_gradient(p, -HUGE_VALF); }),
      refuses<ValueError>("AdamW: lr is to be scaled by -1, expected a positive number",
                          [](Program& p) { p.adamw.scale_lr(-1.0); }),
      refuses<ValueError>("AdamW: there is no 'momentum'", [](Program& p) { return p.adamw.value("momentum", 0); }),
      refuses<ValueError>("AdamW: there is no group 1, only 1", [](Program& p) { return p.adamw.lr(1); }),
      refuses<ValueError>(
          "AdamW: the state does not fit, nothing was loaded:\n  clip_norm was 'inf', is '10': at k = 0 it goes",
          [](Program& p) {
            Adam adam(p.model.parameters());
            p.adamw.load(adam.state());
          }),
      refuses<ValueError>(
          "\n  missing: 0.bias/exp_avg_sq f32 [2]\n  4.weight/exp_avg: got f32 [8, 3], expected f32 [3, 8]",
          [](Program& p) {
            OptimizerState state = p.adamw.state();
            state.tensors["4.weight/exp_avg"] = zeros({8, 3});
            state.tensors.erase("0.bias/exp_avg_sq");
            p.adamw.load(state);
          }),
      refuses<ValueError>("Plateau: factor is 1.5, expected between 0 and 1",
                          [](Program& p) { Plateau(p.adamw, {.factor = 1.5}); }),
  });
}

TEST_CASE("schedules") {
  using namespace optim;
  check({
      refuses<ValueError>("schedule: NaN is no value", [](Program&) { return Schedule(std::nan("")); }),
      refuses<ValueError>(
          "is scaled and cosine(10) is not, so the value would jump; scale the whole: 0.001 * warmup(5)",
          [](Program&) { return (1e-3 * warmup(5)).then(cosine(10)); }),
      refuses<ValueError>("exponential(0.9) never ends; cut(steps) gives it an end",
                          [](Program&) { return exponential(0.9).then(cosine(10)); }),
      refuses<ValueError>("warmup: -1 steps, expected at least", [](Program&) { return warmup(-1); }),
      refuses<ValueError>("one_cycle: rise is 2, expected a fraction of the steps, 0 to 1",
                          [](Program&) { return one_cycle(10, {.rise = 2.0}); }),
      refuses<ValueError>("cosine(10): step -1, expected at least 0", [](Program&) { return cosine(10)(-1); }),
      refuses<ValueError>("schedule, column 8: unknown schedule 'warmpu'; there are warmup, constant",
                          [](Program&) { return parse("1e-3 * warmpu(5)"); }),
      refuses<ValueError>("AdamW: lr is nan at k = 0",
                          step<AdamW>(AdamWOptions{.lr = custom("broken", [](Step) { return std::nan(""); })})),
  });
}

}  // namespace temper::test
