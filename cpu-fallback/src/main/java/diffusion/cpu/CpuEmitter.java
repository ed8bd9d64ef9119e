package diffusion.cpu;

import diffusion.graph.LayoutOp;
import diffusion.graph.MatrixOp;
import diffusion.graph.Op;
import diffusion.graph.PointOp;
import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;

/** Turns the ops of one graph into steps: addresses are resolved once, so that running allocates nothing. */
final class CpuEmitter {
    private final ToLongFunction<Tensor> addresses;
    private final Weights weights;
    private final Scratch scratch;
    private final List<Crew.Step> steps = new ArrayList<>();

    CpuEmitter(ToLongFunction<Tensor> addresses, Weights weights, Scratch scratch) {
        this.addresses = addresses;
        this.weights = weights;
        this.scratch = scratch;
    }

    long address(Tensor tensor) {
        return addresses.applyAsLong(tensor);
    }

    /** See {@link Weights#get}. */
    Packed packed(Tensor tensor, Weights.Use use, long floats, int panels, Packed.Packer packer) {
        return weights.get(tensor, use, floats, panels, packer, addresses);
    }

    Scratch scratch() {
        return scratch;
    }

    void step(Crew.Step step) {
        steps.add(step);
    }

    /** The op just emitted changes a tensor that weights may have been packed from. */
    void changes(Tensor tensor) {
        Crew.Step last = steps.removeLast();
        steps.add(new Crew.Step() {
            @Override
            public void run(int worker, int workers) {
                last.run(worker, workers);
            }

            @Override
            public void finished() {
                last.finished();
                weights.changed(tensor);
            }
        });
    }

    List<Crew.Step> steps() {
        return List.copyOf(steps);
    }

    void emit(Op op) {
        switch (op) {
            case MatrixOp matrix -> emit(matrix);
            case PointOp point -> emit(point);
            case LayoutOp layout -> emit(layout);
            case TrainOp train -> emit(train);
            case SamplerStep sampler -> Sampling.emit(this, sampler);
        }
    }

    private void emit(MatrixOp matrix) {
        switch (matrix) {
            case MatrixOp.Conv2d op -> Convolution.forward(this, op);
            case MatrixOp.Conv2dGradInput op -> Convolution.gradInput(this, op);
            case MatrixOp.Conv2dGradWeight op -> ConvolutionWeightGradient.emit(this, op);
            case MatrixOp.Linear op -> LinearKernels.forward(this, op);
            case MatrixOp.LinearGradInput op -> LinearKernels.gradInput(this, op);
            case MatrixOp.LinearGradWeight op -> LinearKernels.gradWeight(this, op);
            case MatrixOp.Attention op -> AttentionForward.emit(this, op);
            case MatrixOp.AttentionGrad op -> AttentionGradient.emit(this, op);
        }
    }

    private void emit(PointOp point) {
        switch (point) {
            case PointOp.GroupNorm op -> Normalization.forward(this, op);
            case PointOp.GroupNormGrad op -> Normalization.gradient(this, op);
            case PointOp.Activation op -> Pointwise.activation(this, op);
            case PointOp.ActivationGrad op -> Pointwise.activationGrad(this, op);
            case PointOp.Gate op -> Gates.forward(this, op);
            case PointOp.GateGrad op -> Gates.gradient(this, op);
            case PointOp.Add op -> Pointwise.add(this, op);
            case PointOp.AddChannel op -> Pointwise.addChannel(this, op);
            case PointOp.SumChannel op -> Pointwise.sumChannel(this, op);
            case PointOp.Modulate op -> Pointwise.modulate(this, op);
            case PointOp.ModulateGrad op -> Pointwise.modulateGrad(this, op);
            case PointOp.LinearCombination op -> Pointwise.linearCombination(this, op);
            case PointOp.Dropout op -> Pointwise.dropout(this, op);
        }
    }

    private void emit(LayoutOp layout) {
        switch (layout) {
            case LayoutOp.Reshape _ -> {} // the memory plan gives both the same place
            case LayoutOp.Transpose op -> Layout.transpose(this, op);
            case LayoutOp.Concat op -> Layout.concat(this, op);
            case LayoutOp.Slice op -> Layout.slice(this, op);
            case LayoutOp.SliceGrad op -> Layout.sliceGrad(this, op);
            case LayoutOp.Upsample op -> Layout.upsample(this, op);
            case LayoutOp.UpsampleGrad op -> Layout.upsampleGrad(this, op);
            case LayoutOp.AvgPool op -> Layout.avgPool(this, op);
            case LayoutOp.AvgPoolGrad op -> Layout.avgPoolGrad(this, op);
            case LayoutOp.Embedding op -> Layout.embedding(this, op);
            case LayoutOp.EmbeddingGrad op -> Layout.embeddingGrad(this, op);
            case LayoutOp.SinusoidalEmbedding op -> Layout.sinusoidal(this, op);
        }
    }

    private void emit(TrainOp train) {
        switch (train) {
            case TrainOp.Fill op -> Training.fill(this, op);
            case TrainOp.Loss op -> Training.loss(this, op);
            case TrainOp.LossGrad op -> Training.lossGrad(this, op);
            case TrainOp.CrossEntropy op -> Training.crossEntropy(this, op);
            case TrainOp.CrossEntropyGrad op -> Training.crossEntropyGrad(this, op);
            case TrainOp.VlbLoss op -> VariationalBound.loss(this, op);
            case TrainOp.VlbLossGrad op -> VariationalBound.gradient(this, op);
            case TrainOp.GlobalNorm op -> Training.globalNorm(this, op);
            case TrainOp.OptimizerStep op -> Training.optimizer(this, op);
            case TrainOp.Ema op -> Training.ema(this, op);
        }
    }
}
