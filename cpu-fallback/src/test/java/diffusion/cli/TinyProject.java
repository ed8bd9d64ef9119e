package diffusion.cli;

import diffusion.io.Images;
import diffusion.io.Picture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;

/** A data set of two classes of 8x8 pictures and a model so small that training it takes seconds. */
record TinyProject(Path data, Path config) {
    static final String CONFIG = """
            {
              "model": {
                "_class_name": "UNet2DModel",
                "sample_size": 8, "in_channels": 1, "out_channels": 1,
                "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
                "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
                "block_out_channels": [8, 8], "layers_per_block": 1,
                "norm_num_groups": 4, "attention_head_dim": 8,
                "dropout": 0.1, "num_class_embeds": 3
              },
              "scheduler": {"_class_name": "DDIMScheduler", "num_train_timesteps": 50},
              "size": 8, "steps": 40, "batch_size": 4, "accumulation": 2, "learning_rate": 0.002,
              "warmup_steps": 5, "lr_schedule": "cosine", "class_dropout": 0.2,
              "augmentation": {"crop_padding": 1, "flip": true}
            }
            """;

    static TinyProject create(Path folder) throws IOException {
        Path data = folder.resolve("data");
        Random random = new Random(5);
        for (String name : new String[] {"dark", "light"}) {
            Files.createDirectories(data.resolve(name));
            for (int i = 0; i < 12; i++) {
                byte[] pixels = new byte[64];
                for (int p = 0; p < pixels.length; p++) {
                    pixels[p] = (byte) (random.nextInt(100) + (name.equals("dark") ? 0 : 150));
                }
                Images.writePng(data.resolve(name).resolve(i + ".png"), new Picture(1, 8, 8, pixels), Map.of());
            }
        }
        Path config = folder.resolve("config.json");
        Files.writeString(config, CONFIG);
        return new TinyProject(data, config);
    }

    /** A model of this project after a few steps. */
    Path model(Path folder, int steps) {
        Path run = folder.resolve("run");
        Cli.Result result = Cli.run(
                "train", "--config", config, "--data", data, "--out", run, "--steps", steps, "--sample-every", 0);
        if (result.status() != 0) {
            throw new AssertionError(result.err());
        }
        return run.resolve("model");
    }
}
