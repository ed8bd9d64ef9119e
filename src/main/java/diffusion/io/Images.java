package diffusion.io;

import com.drew.imaging.ImageMetadataReader;
import com.drew.imaging.ImageProcessingException;
import com.drew.metadata.exif.ExifDirectoryBase;
import com.drew.metadata.exif.ExifIFD0Directory;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.jspecify.annotations.Nullable;
import org.w3c.dom.NodeList;

/** Reads PNG and JPEG, writes PNG with text chunks. */
public final class Images {
    private static final String PNG_FORMAT = "javax_imageio_png_1.0";
    private static final long MAX_FILE_BYTES = 512L << 20;

    /** A header can claim any size; this one still fits a Java array of RGB bytes. */
    private static final long MAX_PIXELS = 200_000_000;

    private Images() {}

    /** Writes a PNG file; {@code text} becomes its text chunks, keyword by keyword. */
    public static void writePng(Path path, BufferedImage image, Map<String, String> text) {
        AtomicFiles.write(path, encodePng(image, text));
    }

    /** Writes a picture as a PNG file; {@code text} becomes its text chunks, keyword by keyword. */
    public static void writePng(Path path, Picture picture, Map<String, String> text) {
        writePng(path, picture.toImage(), text);
    }

    /** The bytes of a PNG file. */
    public static byte[] encodePng(BufferedImage image, Map<String, String> text) {
        ImageWriter writer = ImageIO.getImageWritersByFormatName("png").next();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (var out = new MemoryCacheImageOutputStream(bytes)) {
            IIOMetadata metadata =
                    writer.getDefaultImageMetadata(ImageTypeSpecifier.createFromRenderedImage(image), null);
            metadata.mergeTree(PNG_FORMAT, textTree(text));
            writer.setOutput(out);
            writer.write(new IIOImage(image, null, metadata));
        } catch (IOException e) {
            throw new IllegalArgumentException(e);
        } finally {
            writer.dispose();
        }
        return bytes.toByteArray();
    }

    /**
     * Generation parameters in the form that AUTOMATIC1111 writes under the keyword {@code parameters} and other tools
     * read: the prompt, the negative prompt, then one line of "Name: value" pairs.
     */
    public static String parameters(String prompt, @Nullable String negativePrompt, Map<String, ?> fields) {
        StringBuilder text = new StringBuilder(prompt).append('\n');
        if (negativePrompt != null && !negativePrompt.isEmpty()) {
            text.append("Negative prompt: ").append(negativePrompt).append('\n');
        }
        return text.append(fields.entrySet().stream()
                        .map(e -> e.getKey() + ": " + quote(String.valueOf(e.getValue())))
                        .collect(Collectors.joining(", ")))
                .toString();
    }

    private static String quote(String value) {
        boolean plain = value.chars().noneMatch(c -> c == ',' || c == ':' || c == '\n' || c == '"');
        return plain ? value : Json.object().textNode(value).toString();
    }

    private static IIOMetadataNode textTree(Map<String, String> text) {
        IIOMetadataNode root = new IIOMetadataNode(PNG_FORMAT);
        IIOMetadataNode latin = new IIOMetadataNode("tEXt");
        IIOMetadataNode unicode = new IIOMetadataNode("iTXt");
        text.forEach((keyword, value) -> {
            // tEXt holds Latin-1 only, and is what most tools look at first.
            if (StandardCharsets.ISO_8859_1.newEncoder().canEncode(value)) {
                latin.appendChild(node("tEXtEntry", "keyword", keyword, "value", value));
            } else {
                unicode.appendChild(node(
                        "iTXtEntry",
                        "keyword",
                        keyword,
                        "compressionFlag",
                        "FALSE",
                        "compressionMethod",
                        "0",
                        "languageTag",
                        "",
                        "translatedKeyword",
                        "",
                        "text",
                        value));
            }
        });
        if (latin.hasChildNodes()) {
            root.appendChild(latin);
        }
        if (unicode.hasChildNodes()) {
            root.appendChild(unicode);
        }
        return root;
    }

    static IIOMetadataNode node(String name, String... attributes) {
        IIOMetadataNode node = new IIOMetadataNode(name);
        for (int i = 0; i < attributes.length; i += 2) {
            node.setAttribute(attributes[i], attributes[i + 1]);
        }
        return node;
    }

    /** The text chunks of a PNG file by keyword. */
    public static Map<String, String> readText(Path path) {
        return withReader(readBytes(path), path.toString(), reader -> {
            Map<String, String> text = new LinkedHashMap<>();
            IIOMetadata metadata = reader.getImageMetadata(0);
            if (metadata == null || !PNG_FORMAT.equals(metadata.getNativeMetadataFormatName())) {
                return text;
            }
            IIOMetadataNode root = (IIOMetadataNode) metadata.getAsTree(PNG_FORMAT);
            collect(root.getElementsByTagName("tEXtEntry"), "value", text);
            collect(root.getElementsByTagName("zTXtEntry"), "text", text);
            collect(root.getElementsByTagName("iTXtEntry"), "text", text);
            return text;
        });
    }

    private static void collect(NodeList nodes, String valueKey, Map<String, String> text) {
        for (int i = 0; i < nodes.getLength(); i++) {
            IIOMetadataNode node = (IIOMetadataNode) nodes.item(i);
            text.put(node.getAttribute("keyword"), node.getAttribute(valueKey));
        }
    }

    /**
     * Reads a PNG or JPEG file as 1 or 3 channels (0: as many as it has), upright as its EXIF data say; alpha is dropped,
     * 16 bits are cut to 8, palettes and CMYK become RGB.
     */
    public static Picture read(Path path, int channels) {
        return decode(readBytes(path), path.toString(), channels);
    }

    /** Decodes a PNG or JPEG file in memory as {@link #read}; {@code source} names it in messages. */
    public static Picture decode(byte[] bytes, String source, int channels) {
        if (isCutJpeg(bytes)) {
            throw new DiffusionException("cannot read " + source + ": its end is missing; copy or save it again");
        }
        int orientation = orientation(bytes);
        return withReader(bytes, source, reader -> {
            long pixels = (long) reader.getWidth(0) * reader.getHeight(0);
            if (pixels > MAX_PIXELS) {
                throw new DiffusionException("cannot read " + source + ": it has " + reader.getWidth(0) + " x "
                        + reader.getHeight(0) + " pixels, expected at most " + MAX_PIXELS + "; make it smaller");
            }
            BufferedImage image = reader.read(0);
            boolean grey = image.getRaster().getNumBands() <= 2
                    && image.getColorModel().getColorSpace().getNumComponents() == 1;
            return Picture.fromImage(image, channels != 0 ? channels : grey ? 1 : 3)
                    .upright(orientation);
        });
    }

    /** Whether bytes are a JPEG picture whose data never end; decoders fill the rest with grey without a word. */
    private static boolean isCutJpeg(byte[] bytes) {
        boolean jpeg = bytes.length > 1 && (bytes[0] & 0xff) == 0xff && (bytes[1] & 0xff) == 0xd8;
        boolean data = false;
        int at = 2;
        while (jpeg && at + 3 < bytes.length && !data) {
            if ((bytes[at + 1] & 0xff) == 0xff) { // any number of these may fill up before a marker
                at++;
                continue;
            }
            data = (bytes[at + 1] & 0xff) == 0xda; // what comes before, such as a thumbnail, is skipped as a segment
            at += 2 + ((bytes[at + 2] & 0xff) << 8 | bytes[at + 3] & 0xff);
        }
        while (jpeg && at + 1 < bytes.length) {
            if ((bytes[at] & 0xff) == 0xff && (bytes[at + 1] & 0xff) == 0xd9) {
                return false;
            }
            at++;
        }
        return jpeg;
    }

    /** EXIF's orientation, 1 to 8; 1 where nothing is said, or nothing that can be understood. */
    private static int orientation(byte[] bytes) {
        try {
            ExifIFD0Directory exif = ImageMetadataReader.readMetadata(new ByteArrayInputStream(bytes))
                    .getFirstDirectoryOfType(ExifIFD0Directory.class);
            Integer found = exif == null ? null : exif.getInteger(ExifDirectoryBase.TAG_ORIENTATION);
            return found == null || found < 1 || found > 8 ? 1 : found;
        } catch (ImageProcessingException | IOException | RuntimeException e) {
            return 1; // what the picture itself is worth, its decoder says
        }
    }

    private static byte[] readBytes(Path path) {
        try {
            if (Files.isDirectory(path)) {
                throw new DiffusionException(path + " is a folder, expected a PNG or JPEG file");
            }
            if (Files.size(path) > MAX_FILE_BYTES) {
                throw new DiffusionException(path + " has " + Files.size(path)
                        + " bytes, expected a picture of at most " + MAX_FILE_BYTES + "; make it smaller");
            }
            return Files.readAllBytes(path);
        } catch (NoSuchFileException e) {
            throw new DiffusionException("no such file: " + path + "; check the path", e);
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + path + ": " + e.getMessage() + "; check its mode", e);
        }
    }

    private interface Use<T> {
        T apply(ImageReader reader) throws IOException;
    }

    private static <T> T withReader(byte[] bytes, String source, Use<T> use) {
        try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
            Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
            if (!readers.hasNext()) {
                throw new DiffusionException("cannot read " + source + ": it is not a picture, expected PNG or JPEG");
            }
            ImageReader reader = readers.next();
            try {
                reader.setInput(in);
                return use.apply(reader);
            } finally {
                reader.dispose();
            }
        } catch (DiffusionException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            // ImageIO's decoders throw unchecked exceptions of many kinds on damaged files.
            String why = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
            throw new DiffusionException(
                    "cannot read " + source + ": it is damaged or of an unsupported kind ("
                            + why.lines().findFirst().orElse("")
                            + "); expected an RGB or grey PNG or JPEG, save it again",
                    e);
        }
    }
}
