package diffusion;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;

/** The arrows between packages, and what core leaves to its backends and to the command line. */
@AnalyzeClasses(packages = "diffusion", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    /** What each package may use besides itself; cli may use all and none may use cli. */
    private static final Map<String, Set<String>> MAY_USE = Map.ofEntries(
            entry("io"),
            entry("graph"),
            entry("text", "io"),
            entry("hub", "io"),
            entry("nn", "graph"),
            entry("model", "nn", "graph", "io"),
            entry("scheduler", "model", "nn", "graph", "io"),
            entry("backend", "graph", "io"),
            entry("data", "io"),
            entry("metrics", "train", "pipeline", "scheduler", "data", "backend", "model", "nn", "graph", "io"),
            entry("pipeline", "text", "scheduler", "model", "nn", "backend", "graph", "io"),
            entry("guidance", "metrics", "pipeline", "backend", "graph"),
            entry("restore", "pipeline", "scheduler", "model", "backend", "graph", "io"),
            entry("train", "pipeline", "metrics", "scheduler", "model", "nn", "backend", "graph", "data", "io"),
            entry(
                    "report",
                    "restore",
                    "train",
                    "pipeline",
                    "metrics",
                    "scheduler",
                    "model",
                    "backend",
                    "graph",
                    "data",
                    "io"));

    private static Map.Entry<String, Set<String>> entry(String from, String... below) {
        return Map.entry(from, Set.of(below));
    }

    @ArchTest
    static void packagesUseOnlyThoseBelowThem(JavaClasses core) {
        MAY_USE.forEach((from, below) -> noClasses()
                .that()
                .resideInAPackage("diffusion." + from + "..")
                .should()
                .dependOnClassesThat(describe(
                        "are ours, but neither of " + from + " nor of " + below,
                        (JavaClass used) ->
                                isOurs(used) && !packageOf(used).equals(from) && !below.contains(packageOf(used))))
                .allowEmptyShould(true)
                .check(core));
    }

    @ArchTest
    static void everyPackageHasItsPlace(JavaClasses core) {
        noClasses()
                .should(com.tngtech.archunit.lang.conditions.ArchConditions.be(describe(
                        "of a package without a rule",
                        (JavaClass c) -> !packageOf(c).equals("cli") && !MAY_USE.containsKey(packageOf(c)))))
                .check(core);
    }

    @ArchTest
    static final ArchRule packagesAreFreeOfCycles =
            slices().matching("diffusion.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule coreSeesNeitherVectorsNorDevices =
            noClasses().should().dependOnClassesThat().resideInAnyPackage("jdk.incubator..", "uk.ac.manchester..");

    @ArchTest
    static final ArchRule onlyCliPrints = noClasses()
            .that()
            .resideOutsideOfPackage("diffusion.cli..")
            .should(com.tngtech.archunit.library.GeneralCodingRules.ACCESS_STANDARD_STREAMS);

    @ArchTest
    static final ArchRule onlyCliExits = noClasses()
            .that()
            .resideOutsideOfPackage("diffusion.cli..")
            .should()
            .callMethod(System.class, "exit", int.class)
            .orShould()
            .callMethod(Runtime.class, "halt", int.class);

    private static boolean isOurs(JavaClass type) {
        return type.getPackageName().equals("diffusion")
                || type.getPackageName().startsWith("diffusion.");
    }

    /** "backend" for diffusion.backend.reference. */
    private static String packageOf(JavaClass type) {
        return Arrays.stream(type.getPackageName().split("\\."))
                .skip(1)
                .findFirst()
                .orElse("");
    }
}
