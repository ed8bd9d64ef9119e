package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Parameters;
import diffusion.graph.Tensor;
import diffusion.model.DeepFeatures;
import diffusion.model.UNet2DConditionModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A U-Net with its inputs beside the latent. */
final class UNetInputs implements GuidedNetwork.Network {
    /** How beautiful a refiner's pictures are to be, and how those it is led away from; diffusers' defaults. */
    private static final float AESTHETIC_SCORE = 6;

    private static final float NEGATIVE_AESTHETIC_SCORE = 2.5f;

    private final UNet2DConditionModel model;
    private final TextCondition condition;
    private final int extraChannels;
    private final boolean scoresAesthetics;
    private UNet2DConditionModel.@Nullable Conditioning conditioning; // once recorded
    private @Nullable Tensor extra; // [R, extraChannels, h, w]
    private @Nullable Tensor classLabels; // [R]
    private @Nullable Tensor context; // [R, tokens, features]
    private @Nullable Tensor pooled; // [R, features]
    private @Nullable Tensor timeIds; // [R, 6], or [R, 5] of a refiner
    private @Nullable Tensor embeddedGuidance; // [R, D]

    UNetInputs(StableDiffusionComponents components, TextCondition condition) {
        model = new UNet2DConditionModel(components.unet());
        this.condition = condition;
        extraChannels = components.extraChannels();
        scoresAesthetics = components.scoresAesthetics();
    }

    @Override
    public Tensor apply(Graph g, Tensor x, Tensor timestep, @Nullable DeepFeatures deep) {
        UNet2DConditionModel.Conditioning given = conditioning;
        if (given == null) {
            extra = extraChannels > 0
                    ? g.input("extra_channels", timestep.dim(0), extraChannels, x.dim(2), x.dim(3))
                    : null;
            given = conditioning(g, timestep.dim(0));
            conditioning = given;
        }
        Tensor seen = extra == null ? x : g.concat(List.of(x, extra), 1);
        return model.apply(g, seen, timestep, given, deep);
    }

    private UNet2DConditionModel.Conditioning conditioning(Graph g, int rows) {
        classLabels = model.config().numClassEmbeds() != null ? g.input("class_labels", rows) : null;
        Tensor text = g.input("encoder_hidden_states", rows, condition.tokens(), condition.features());
        context = text;
        boolean xl = model.config().additionEmbedType() != null;
        pooled = xl ? g.input("text_embeds", rows, condition.pooledFeatures()) : null;
        timeIds = xl ? g.input("time_ids", rows, scoresAesthetics ? 5 : 6) : null;
        Integer distilled = model.config().timeCondProjDim();
        embeddedGuidance = distilled == null ? null : g.input("timestep_cond", rows, distilled);
        return new UNet2DConditionModel.Conditioning(text, classLabels, pooled, timeIds, embeddedGuidance);
    }

    /** The weights by checkpoint name. */
    Parameters parameters() {
        return model.parameters();
    }

    /** Writes what a batch is to follow: the places of its pictures in the run, and what they are made from. */
    void write(
            Program program,
            StableDiffusionPipeline.Request request,
            List<Integer> pictures,
            boolean guided,
            LatentEdit.@Nullable Batch edit) {
        List<Integer> rows = new ArrayList<>();
        if (guided) {
            int negative = condition.context().size() - 1;
            pictures.forEach(_ -> rows.add(negative));
        }
        rows.addAll(pictures);
        if (edit != null && extra != null) {
            float[] values = new float[extra.size()];
            for (int at = 0; at < values.length; at += edit.channels().length) {
                System.arraycopy(edit.channels(), 0, values, at, edit.channels().length);
            }
            program.write(extra, values);
        }
        if (edit != null && classLabels != null) {
            float[] labels = new float[classLabels.size()];
            Arrays.fill(labels, edit.label());
            program.write(classLabels, labels);
        }
        Tensor text = Objects.requireNonNull(context);
        program.write(text, stack(rows, condition.context(), text.size()));
        if (pooled != null && timeIds != null) {
            program.write(pooled, stack(rows, condition.pooled(), pooled.size()));
            float[] wanted = timeIds(request, AESTHETIC_SCORE);
            float[] unwanted = timeIds(request, NEGATIVE_AESTHETIC_SCORE);
            List<Integer> which = new ArrayList<>(Collections.nCopies(rows.size(), 0));
            Collections.fill(which.subList(0, rows.size() - pictures.size()), 1);
            program.write(timeIds, stack(which, List.of(wanted, unwanted), timeIds.size()));
        }
        if (embeddedGuidance != null) {
            float[] embedded = embed(request.guidance() - 1, embeddedGuidance.dim(1));
            program.write(
                    embeddedGuidance,
                    stack(rows.stream().map(_ -> 0).toList(), List.of(embedded), embeddedGuidance.size()));
        }
    }

    /** Original size and crop, then the target size or a refiner's score. */
    private float[] timeIds(StableDiffusionPipeline.Request request, float score) {
        int height = request.height();
        int width = request.width();
        return scoresAesthetics
                ? new float[] {height, width, 0, 0, score}
                : new float[] {height, width, 0, 0, height, width};
    }

    private static float[] stack(List<Integer> rows, List<float[]> values, int size) {
        float[] all = new float[size];
        int at = 0;
        for (int row : rows) {
            float[] one = values.get(row);
            System.arraycopy(one, 0, all, at, one.length);
            at += one.length;
        }
        return all;
    }

    /** Sines and cosines of 1000 w, as diffusers' get_guidance_scale_embedding. */
    private static float[] embed(double w, int size) {
        int half = size / 2;
        float[] values = new float[size];
        float step = (float) (Math.log(10000.0) / (half - 1));
        for (int i = 0; i < half; i++) {
            float angle = (float) (w * 1000) * (float) Math.exp(-i * step);
            values[i] = (float) Math.sin(angle);
            values[half + i] = (float) Math.cos(angle);
        }
        return values;
    }
}
