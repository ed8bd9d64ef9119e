package diffusion.io;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/** Animated GIF files. */
public final class Gif {
    private static final String FORMAT = "javax_imageio_gif_image_1.0";

    private Gif() {}

    /**
     * Writes frames as a GIF that loops for ever.
     *
     * @param frames at least one, all of one size
     * @param delayMillis how long a frame is shown, in milliseconds (the format counts hundredths of a second)
     * @param lastDelayMillis how long the last frame is held
     */
    public static void write(Path path, List<BufferedImage> frames, int delayMillis, int lastDelayMillis) {
        if (frames.isEmpty()) {
            throw new DiffusionException("cannot write " + path + ": no frames; animate at least one step");
        }
        AtomicFiles.write(path, out -> encode(out, frames, delayMillis, lastDelayMillis));
    }

    private static void encode(OutputStream stream, List<BufferedImage> frames, int delay, int lastDelay)
            throws IOException {
        ImageWriter writer = ImageIO.getImageWritersByFormatName("gif").next();
        try (var out = new MemoryCacheImageOutputStream(stream)) {
            writer.setOutput(out);
            writer.prepareWriteSequence(null);
            for (int i = 0; i < frames.size(); i++) {
                BufferedImage frame = frames.get(i);
                IIOMetadata metadata =
                        writer.getDefaultImageMetadata(ImageTypeSpecifier.createFromRenderedImage(frame), null);
                boolean last = i == frames.size() - 1;
                metadata.mergeTree(FORMAT, frameTree(last ? lastDelay : delay, i == 0));
                writer.writeToSequence(new IIOImage(frame, null, metadata), null);
            }
            writer.endWriteSequence();
        } finally {
            writer.dispose();
        }
    }

    private static IIOMetadataNode frameTree(int delayMillis, boolean first) {
        IIOMetadataNode root = new IIOMetadataNode(FORMAT);
        root.appendChild(Images.node(
                "GraphicControlExtension",
                "disposalMethod",
                "none",
                "userInputFlag",
                "FALSE",
                "transparentColorFlag",
                "FALSE",
                "delayTime",
                // Browsers slow frames of 0 or 1 hundredths down to 10.
                Integer.toString(Math.clamp(delayMillis / 10, 2, 65535)),
                "transparentColorIndex",
                "0"));
        if (first) {
            IIOMetadataNode extensions = new IIOMetadataNode("ApplicationExtensions");
            IIOMetadataNode loop =
                    Images.node("ApplicationExtension", "applicationID", "NETSCAPE", "authenticationCode", "2.0");
            // Sub-block 1, repeat count 0: for ever.
            loop.setUserObject(new byte[] {1, 0, 0});
            extensions.appendChild(loop);
            root.appendChild(extensions);
        }
        return root;
    }
}
