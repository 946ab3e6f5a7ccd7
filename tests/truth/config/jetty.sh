jars=/usr/share/java/servlet-api.jar
for jar in alpn-java-server alpn-server http http2-common http2-hpack http2-server io server util; do
    jars=$jars:/usr/share/java/jetty9-$jar.jar
done
exec java -Xmx96m -cp "$jars" Jetty.java
