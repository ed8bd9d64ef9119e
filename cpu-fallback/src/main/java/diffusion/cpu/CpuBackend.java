package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import java.util.List;
import java.util.Optional;

/** Computes graphs on the CPU with the Vector API over Panama memory. */
public final class CpuBackend implements Backend {
    private final Crew crew;

    /** One thread for each processor, or as many as the system property {@code diffusion.threads} says. */
    public CpuBackend() {
        this(Integer.getInteger("diffusion.threads", Runtime.getRuntime().availableProcessors()));
    }

    /** A backend with its own {@code threads} threads, the caller's among them. */
    public CpuBackend(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("expected at least one thread, found " + threads);
        }
        crew = new Crew(threads);
    }

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        return "Vector API, %d-bit vectors, %d thread%s"
                .formatted(Memory.SPECIES.vectorBitSize(), crew.size(), crew.size() == 1 ? "" : "s");
    }

    @Override
    public int priority() {
        return 10;
    }

    @Override
    public Optional<Peak> peak() {
        try (PeakMeter meter = new PeakMeter(crew.size())) {
            meter.flops();
            return Optional.of(new Peak(meter.flops(), meter.bytesPerSecond()));
        }
    }

    @Override
    public void warmUp() {
        WarmUp.start();
    }

    @Override
    public Program compile(List<Graph> graphs) {
        return new CpuProgram(crew, graphs);
    }
}
