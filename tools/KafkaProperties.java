import java.lang.reflect.Field;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;

/**
 * Prints Kafka's own definitions of topic, broker and Java client properties, one a line, fields parted by tabs:
 * owner, name, type, lowest, highest, choices (parted by commas), default. Run by kafka_properties.py beside it.
 */
public final class KafkaProperties {
    /** A range and a value outside it that stands for the default: "[1,...,9] or -1". */
    private static final Pattern OR_DEFAULT = Pattern.compile("\\[\\d+,\\.\\.\\.,(\\d+)] or (-\\d+)");

    private KafkaProperties() {}

    public static void main(String[] arguments) throws Exception {
        print("topic", topicDefinition());
        print("broker", brokerDefinition());
        print("producer", ProducerConfig.configDef());
        print("consumer", ConsumerConfig.configDef());
    }

    private static ConfigDef topicDefinition() throws Exception {
        Class<?> holder = Class.forName("org.apache.kafka.storage.internals.log.LogConfig");
        return (ConfigDef) holder.getMethod("configDefCopy").invoke(null);
    }

    /** Kafka 4 keeps the brokers' definitions in its Java part, Kafka 3 in its Scala one. */
    private static ConfigDef brokerDefinition() throws Exception {
        try {
            Class<?> holder = Class.forName("org.apache.kafka.server.config.AbstractKafkaConfig");
            return (ConfigDef) holder.getField("CONFIG_DEF").get(null);
        } catch (ClassNotFoundException | NoSuchFieldException gone) {
            return (ConfigDef) Class.forName("kafka.server.KafkaConfig").getMethod("configDef").invoke(null);
        }
    }

    private static void print(String owner, ConfigDef definition) throws Exception {
        for (Map.Entry<String, ConfigDef.ConfigKey> entry : new TreeMap<>(definition.configKeys()).entrySet()) {
            ConfigDef.ConfigKey key = entry.getValue();
            if (key.internalConfig) {
                continue;
            }
            String limits = limits(key.name, key.validator);
            System.out.println(String.join("\t", owner, key.name, key.type.name(), limits, byDefault(key)));
        }
    }

    /** The default as a properties file has it; nothing where there is none, or where it is null. */
    private static String byDefault(ConfigDef.ConfigKey key) {
        boolean without = !key.hasDefault() || key.defaultValue == null;
        return without ? "" : ConfigDef.convertToString(key.defaultValue, key.type);
    }

    private static String limits(String name, ConfigDef.Validator validator) throws Exception {
        if (validator instanceof ConfigDef.Range) {
            return shown(read(validator, "min")) + "\t" + shown(read(validator, "max")) + "\t";
        }
        if (validator instanceof ConfigDef.ValidList) {
            return "\t\t" + choices(read(read(validator, "validString"), "validStrings"));
        }
        if (validator instanceof ConfigDef.ValidString || validator instanceof ConfigDef.CaseInsensitiveValidString) {
            return "\t\t" + choices(read(validator, "validStrings"));
        }
        Matcher orDefault = OR_DEFAULT.matcher(String.valueOf(validator));
        if (orDefault.matches()) {
            return orDefault.group(2) + "\t" + orDefault.group(1) + "\t";
        }
        if (validator != null) {
            System.err.println(name + ": " + validator.getClass().getName() + " " + validator);
        }
        return "\t\t";
    }

    private static Object read(Object owner, String name) throws Exception {
        Field field = owner.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(owner);
    }

    private static String shown(Object value) {
        return value == null ? "" : value.toString();
    }

    private static String choices(Object values) {
        return ((Collection<?>) values).stream().map(Object::toString).collect(Collectors.joining(","));
    }
}
