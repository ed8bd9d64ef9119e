package diffusion.scheduler;

import diffusion.io.Json;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rows that diffusers publishes for its dummy model (tests/schedulers), with the digits of a reference run. */
class PublishedRowsTest {
    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
        DDIMInv-1|DDIMInverseScheduler|'clip_sample': true|10|0|671.6816406|0.87458545|671.6816406|0 0.0091221426 0.018244285 0.0045610713 1.7491711
        DDIMInv-2|DDIMInverseScheduler|'clip_sample': true, 'prediction_type': 'v_prediction'|10|0|1394.218506|1.8153887|1394.218506|0 0.017732315 0.03546463 0.0088661574 3.8358772
        DDIMInv-3|DDIMInverseScheduler|'beta_start': 0.01, 'clip_sample': true, 'set_alpha_to_one': true|10|0|539.9621582|0.70307571|539.9621582|0 0.0073332544 0.014666509 0.0036666272 1.4061518
        DDIMInv-4|DDIMInverseScheduler|'beta_start': 0.01, 'clip_sample': true, 'set_alpha_to_one': false|10|0|542.6721802|0.70660442|542.6721802|0 0.0073701981 0.014740396 0.0036850991 1.4079849
        DEIS-1|DEISMultistepScheduler|'solver_order': 2|10|0|183.6764526|0.23916204|183.6764526|0 0.0024945198 0.0049890396 0.0012472599 0.47832417
        DEIS-2|DEISMultistepScheduler|'solver_order': 2, 'prediction_type': 'v_prediction'|10|0|69.94372559|0.091072559|69.94372559|0 0.00094990944 0.0018998189 0.00047495472 0.18214512
        DEIS-3|DEISMultistepScheduler|'solver_order': 2|10|8|315.3016357|0.41054901|315.3016357|0.34471011 0.34539682 0.34608355 0.34505346 0.47638786
        PNDM-1|PNDMScheduler||10|0|198.131897|0.25798425|198.131897|0 0.0026908389 0.0053816778 0.0013454194 0.51596868
        PNDM-2|PNDMScheduler|'prediction_type': 'v_prediction'|10|0|67.39862061|0.087758623|67.39862061|0 0.00091534446 0.0018306889 0.00045767223 0.17551723
        PNDM-3|PNDMScheduler|'beta_start': 0.01, 'set_alpha_to_one': true|10|0|230.0344543|0.29952404|230.0344543|0 0.0031241083 0.0062482166 0.0015620542 0.59904486
        PNDM-4|PNDMScheduler|'beta_start': 0.01, 'set_alpha_to_one': false|10|0|186.9421234|0.24341422|186.9421234|0 0.0025388692 0.0050777383 0.0012694346 0.48682487
        LCM-1|LCMScheduler|'prediction_type': 'epsilon', 'beta_schedule': 'scaled_linear', 'beta_start': 0.00085, 'beta_end': 0.012|1|0|18.70967865|0.02436156|18.70967865|0 0.0002540967 0.00050819339 0.00012704835 0.048723705
        LCM-2|LCMScheduler|'prediction_type': 'epsilon', 'beta_schedule': 'scaled_linear', 'beta_start': 0.00085, 'beta_end': 0.012|10|0|197.7616425|0.25750214|5.228374958|-0.058160067 0.22589949 0.27971175 0.039966926 0.038538702
        TCD-1|TCDScheduler|'prediction_type': 'epsilon', 'beta_schedule': 'scaled_linear', 'beta_start': 0.00085, 'beta_end': 0.012|1|0|29.87153625|0.038895231|29.87153625|0 0.0004056865 0.000811373 0.00020284325 0.077791043
        TCD-2|TCDScheduler|'prediction_type': 'epsilon', 'beta_schedule': 'scaled_linear', 'beta_start': 0.00085, 'beta_end': 0.012|10|0|181.20401|0.23594272|181.20401|0 0.0024609407 0.0049218815 0.0012304704 0.47188541
        UniPC-1|UniPCMultistepScheduler|'solver_order': 2, 'solver_type': 'bh2', 'final_sigmas_type': 'sigma_min'|10|0|189.231842|0.24639563|189.231842|0 0.0025699665 0.005139933 0.0012849832 0.4927913
        UniPC-2|UniPCMultistepScheduler|'solver_order': 2, 'solver_type': 'bh2', 'final_sigmas_type': 'sigma_min', 'use_karras_sigmas': true|10|0|224.626709|0.2924827|224.626709|0 0.0030506668 0.0061013335 0.0015253334 0.58496547
        UniPC-3|UniPCMultistepScheduler|'solver_order': 2, 'solver_type': 'bh2', 'final_sigmas_type': 'sigma_min', 'prediction_type': 'v_prediction'|10|0|77.8724823|0.10139646|77.8724823|0 0.0010575904 0.0021151807 0.00052879518 0.20279293
        UniPC-4|UniPCMultistepScheduler|'solver_order': 2, 'solver_type': 'bh2', 'final_sigmas_type': 'sigma_min', 'prediction_type': 'v_prediction', 'use_karras_sigmas': true|10|0|150.6872864|0.1962074|150.6872864|0 0.002046492 0.0040929839 0.001023246 0.39241484
        UniPC-5|UniPCMultistepScheduler|'solver_order': 2, 'solver_type': 'bh2', 'final_sigmas_type': 'sigma_min'|10|8|315.5756836|0.41090584|315.5756836|0.34500971 0.34569705 0.34638435 0.34535339 0.47680202
        """)
    void holds(
            String name,
            String className,
            @org.jspecify.annotations.Nullable String keys,
            int steps,
            int first,
            double sum,
            double mean,
            double signed,
            String probes) {
        String json = "{'_class_name': '" + className + "'" + (keys == null ? "" : ", " + keys) + "}";
        Scheduler scheduler =
                SchedulerFactory.create(SchedulerConfig.of(Json.parse(json.replace('\'', '"'), name), name));
        scheduler.setTimesteps(steps);
        if (scheduler instanceof TCDScheduler tcd) {
            tcd.setEta(0);
        }
        double[] found = PublishedCase.run(scheduler, first, new TorchRandom(0));
        PublishedCase.check(
                found,
                sum,
                mean,
                signed,
                Arrays.stream(probes.split(" "))
                        .mapToDouble(Double::parseDouble)
                        .toArray());
    }
}
