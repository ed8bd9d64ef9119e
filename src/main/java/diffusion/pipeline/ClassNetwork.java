package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.model.DeepFeatures;
import diffusion.model.DenoisingModel;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A network of this project's training, which follows a class label or nothing. */
final class ClassNetwork implements GuidedNetwork.Network {
    private final DenoisingModel model;
    private final int nullClass;
    private @Nullable Tensor labels; // like timestep

    /** With the label that stands for no class; read only with guidance. */
    ClassNetwork(DenoisingModel model, int nullClass) {
        this.model = model;
        this.nullClass = nullClass;
    }

    @Override
    public Tensor apply(Graph g, Tensor x, Tensor timestep, @Nullable DeepFeatures deep) {
        if (labels == null && model.classes() > 0) {
            labels = g.input("class_labels", timestep.dim(0));
        }
        return model.apply(g, x, timestep, labels, deep);
    }

    /** Writes the class of every state; with guidance, the first half follows none. */
    void write(Program program, int[] classes) {
        if (labels != null) {
            float[] values = new float[labels.size()];
            Arrays.fill(values, nullClass);
            for (int n = 0; n < classes.length; n++) {
                values[values.length - classes.length + n] = classes[n];
            }
            program.write(labels, values);
        }
    }
}
