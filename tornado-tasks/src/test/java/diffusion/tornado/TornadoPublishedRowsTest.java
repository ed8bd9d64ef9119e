package diffusion.tornado;

import diffusion.backend.Backend;
import diffusion.scheduler.BackendStepper;
import diffusion.scheduler.PublishedRows;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

class TornadoPublishedRowsTest extends PublishedRows {
    private final Backend backend = new TornadoBackend();

    /** The first row of each scheduler, because a device's compiler takes its time. */
    @Override
    protected List<String> lines() {
        Map<String, String> first = new LinkedHashMap<>();
        super.lines().forEach(line -> first.putIfAbsent(line.split("\\|", 3)[1], line));
        return List.copyOf(first.values());
    }

    @Override
    protected Stepper stepper(int samples, int elements, int historySize) {
        return new BackendStepper(backend, samples, elements, historySize);
    }
}
